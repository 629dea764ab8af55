// worker.js - the SharedWorker: its name says which stream it is, its first tab what that takes.
// SPDX-License-Identifier: MIT
import { Hub } from './hub.js';

let hub = null;
globalThis.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    hub ??= new Hub(data.options);
    hub.attach(port);
  };
};
