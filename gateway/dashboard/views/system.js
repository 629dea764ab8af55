// system.js. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
export const System = () => html`<p class="empty">System</p>`;
