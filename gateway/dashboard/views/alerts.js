// alerts.js. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
export const Alerts = () => html`<p class="empty">Alerts</p>`;
