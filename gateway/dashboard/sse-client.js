// sse-client.js - one stream, always coming back. SPDX-License-Identifier: MIT
// The badge hangs on the last event, never on the socket's state: an EventSource reads OPEN when the
// stream has gone silent, and stays CLOSED for good after some answers. So it is made anew.
// admit() is waited for before each opening: it resolves when whoever sits here is logged in.
export class SseClient {
  constructor(url, { heartbeat = 5, onStatus = () => {}, admit = async () => {} } = {}) {
    Object.assign(this, { url, heartbeat, onStatus, admit, handlers: new Map(), failures: 0, lastId: '', heard: 0 });
    this.timer = setTimeout(() => this.enter(), 0);
    setInterval(() => { if (Date.now() - this.heard > this.heartbeat * 2500) this.again(); }, 500);
  }
  on(type, handler) { this.handlers.set(type, handler); if (this.source) this.listen(type); return this; }
  listen(type) {
    this.source.addEventListener(type, e => {
      this.heard = Date.now(); this.failures = 0;
      if (e.lastEventId) this.lastId = e.lastEventId;
      this.onStatus('connected');
      this.handlers.get(type)?.(JSON.parse(e.data));
    });
  }
  async enter() {
    await this.admit();
    this.timer = 0;
    this.open();
  }
  open() {
    const resume = this.lastId ? `&last_event_id=${encodeURIComponent(this.lastId)}` : '';
    this.source?.close();
    this.source = new EventSource(`${this.url}?heartbeat=${this.heartbeat}${resume}`);
    this.heard = Date.now();
    for (const type of this.handlers.keys()) this.listen(type);
    this.source.onerror = () => this.again();
  }
  again() {
    if (this.timer) return;
    this.source?.close();
    this.onStatus('reconnecting');
    const wait = Math.min(30000, 500 * 2 ** this.failures++) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.enter(), wait);
  }
}
