// format.js - times, numbers and words as people read them. What nobody knows is a dash, never 0.
// SPDX-License-Identifier: MIT
export const DASH = '–';

export const ms = time => typeof time === 'number' ? time : Date.parse(time);

/** "41 s", "12 min", "3 h 20 min", "5 d 2 h". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  const s = Math.max(0, Math.round(seconds)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (s < 60) return `${s} s`;
  if (m < 60) return `${m} min`;
  if (h < 24) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
  return h % 24 ? `${d} d ${h % 24} h` : `${d} d`;
}
/** How long ago, by a clock that agrees with the server's. */
export const ago = (time, now) => time ? `${duration((now - ms(time)) / 1000)} ago` : DASH;

export const percent = value => value === null || value === undefined ? DASH : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
export const count = value => value === null || value === undefined ? DASH : value.toLocaleString('en');
export const dollars = value => value === null || value === undefined ? DASH : `$${value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en')}`;
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const text = value => value === null || value === undefined || value === '' ? DASH : String(value);
