// worker.js. SPDX-License-Identifier: MIT
import { html } from '../lib/ui.js';
export const WorkerView = () => html`<p class="empty">WorkerView</p>`;
