// jobs.js. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
export const Jobs = () => html`<p class="empty">Jobs</p>`;
