// events.js. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
export const Events = () => html`<p class="empty">Events</p>`;
