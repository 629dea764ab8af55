// alerts.js - keeps live.js's alerts: by their events, and asked for anew with each whole state. It is fetched when the first
// rows stand, and so begins by asking. SPDX-License-Identifier: MIT
import { alerts, ask, client } from './live.js';
import { touch } from './ui.js';

const ENDED_MAX = 100;

/** What was told since the newest question was asked; null while none is. */
let meanwhile = null;

function change({ type, data }) {
  const id = data.alert_id, now = alerts.byId.get(id);
  if (type === 'alert.raised') alerts.byId.set(id, { ...data, id });
  else if (type === 'alert.acknowledged' && now) alerts.byId.set(id, { ...now, state: 'acknowledged', acknowledged_by: data.acknowledged_by, acknowledged_at: data.acknowledged_at });
  else if (type === 'alert.cleared' && now) alerts.byId.set(id, { ...now, state: 'cleared', cleared_at: data.cleared_at });
}

function keepAlert(event) {
  change(event);
  meanwhile?.push(event);
  const ended = [...alerts.byId.values()].filter(alert => alert.state === 'cleared');
  for (const alert of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) alerts.byId.delete(alert.id);
  touch('alerts');
}

/** The answer may be older than what the stream told while it was under way. */
export async function refreshAlerts() {
  const since = meanwhile = [];
  const answer = await ask('/api/alerts').catch(() => null); // an older gateway, or one that is away: the view says it
  if (meanwhile !== since) return; // asked anew since
  meanwhile = null;
  alerts.known = Boolean(answer);
  if (answer) {
    alerts.byId = new Map(answer.alerts.map(alert => [alert.id, alert]));
    alerts.rules = answer.rules ?? [];
    since.forEach(change);
  }
  touch('alerts');
}

client.on('alert.*', keepAlert);
client.onChange(({ whole }) => { if (whole) refreshAlerts(); });
refreshAlerts();
