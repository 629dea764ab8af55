// alerts.js - keeps live.js's alerts: by their events, and asked for anew with each whole state. It is fetched when the first
// rows stand, and so begins by asking. SPDX-License-Identifier: MIT
import { alerts, ask, client } from './live.js';
import { touch } from './ui.js';

const ENDED_MAX = 100;

function keepAlert({ type, data }) {
  const id = data.alert_id, now = alerts.byId.get(id);
  if (type === 'alert.raised') alerts.byId.set(id, { ...data, id });
  else if (type === 'alert.acknowledged' && now) alerts.byId.set(id, { ...now, state: 'acknowledged', acknowledged_by: data.acknowledged_by, acknowledged_at: data.acknowledged_at });
  else if (type === 'alert.cleared' && now) alerts.byId.set(id, { ...now, state: 'cleared', cleared_at: data.cleared_at });
  const ended = [...alerts.byId.values()].filter(alert => alert.state === 'cleared');
  for (const alert of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) alerts.byId.delete(alert.id);
  touch('alerts');
}

export async function refreshAlerts() {
  try {
    const { alerts: list, rules } = await ask('/api/alerts');
    alerts.byId = new Map(list.map(alert => [alert.id, alert]));
    alerts.rules = rules ?? [];
    alerts.known = true;
  } catch { alerts.known = false; } // an older gateway, or one that is away: the view says it
  touch('alerts');
}

client.on('alert.*', keepAlert);
client.onChange(({ whole }) => { if (whole) refreshAlerts(); });
refreshAlerts();
