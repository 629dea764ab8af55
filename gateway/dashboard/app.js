// app.js - the dashboard. lib/live.js keeps what is live, lib/route.js where one is; views/ show it.
// SPDX-License-Identifier: MIT
import { html, render } from './lib/ui.js';
import './lib/live.js';
import { Frame } from './views/frame.js';

const place = document.getElementById('app');
place.replaceChildren();
render(html`<${Frame}/>`, place);
