// clock.js - moments as people read them, in the time zone that is set. SPDX-License-Identifier: MIT
import { DASH, duration, ms } from './format.js';
import { setting } from './settings.js';

const clocks = new Map();
function clock(options) {
  const zone = setting('zone') === 'utc' ? 'UTC' : undefined, key = JSON.stringify([options, zone]);
  if (!clocks.has(key)) clocks.set(key, new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone, hourCycle: 'h23' }));
  return clocks.get(key);
}

export const timeOfDay = time => time ? clock({ hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms(time)) : DASH;
export const dateTime = time => time
  ? `${clock({ year: 'numeric', month: 'short', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms(time))}${setting('zone') === 'utc' ? ' UTC' : ''}`
  : DASH;
export const until = (time, now) => !time ? DASH : ms(time) > now ? `in ${duration((ms(time) - now) / 1000)}` : 'now';
