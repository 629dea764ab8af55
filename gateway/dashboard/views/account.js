// account.js - what the frame has of who one is, and of troubles: it comes after the first rows, with the alerts.
// SPDX-License-Identifier: MIT
import { html, useLive } from '../lib/ui.js';
import { activeAlerts, ask, client, session } from '../lib/live.js';
import '../lib/alerts.js';

export function Account() {
  useLive(['session']);
  if (!session.user) return null;
  const out = async () => { await ask('/api/session', { method: 'DELETE' }).catch(() => {}); Object.assign(session, { user: null }); client.forget(); };
  return html`<span id="account">${session.user} <small>${session.role}</small> <button type="button" onClick=${out}>log out</button></span>`;
}

/** The tab's: how many troubles there are. */
export function Icon() {
  useLive(['alerts'], 250);
  const troubles = activeAlerts().filter(alert => alert.severity !== 'info').length;
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#bd2130"/><text x="16" y="22" font-size="16" text-anchor="middle" fill="#fff" font-family="sans-serif">${troubles > 99 ? '99' : troubles}</text></svg>`;
  const wanted = troubles ? `data:image/svg+xml,${encodeURIComponent(picture)}` : '/icon.svg';
  const icon = document.querySelector('link[rel=icon]');
  if (icon.getAttribute('href') !== wanted) icon.setAttribute('href', wanted);
  document.title = troubles ? `(${troubles}) cmlwatch` : 'cmlwatch';
  return null;
}
