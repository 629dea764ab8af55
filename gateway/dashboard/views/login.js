// login.js - the token, where the gateway wants one. The session is a cookie that no script reads. SPDX-License-Identifier: MIT
import { html, useEffect, useLive, useRef, useState } from '../lib/ui.js';
import { ask, login, refreshSession } from '../lib/live.js';

export function Login() {
  useLive(['login']);
  const [refused, refuse] = useState('');
  const box = useRef(), wanted = login.ask;
  useEffect(() => { if (wanted) box.current?.querySelector('input')?.focus(); }, [wanted]);
  const send = async event => {
    event.preventDefault();
    const field = box.current.querySelector('input');
    try {
      await ask('/api/session', { method: 'POST', body: { token: field.value } });
      field.value = '';
      refuse('');
      await refreshSession();
      login.ask?.done();
    } catch (error) { field.value = ''; refuse(error.message); }
  };
  return html`<form id="login" ref=${box} onSubmit=${send}>
    <label>Token <input id="token" type="password" autocomplete="current-password" required/></label> <button>log in</button>
    <p id="refused" role="alert">${refused || wanted?.message || ''}</p></form>`;
}
