// listen.cjs - an EventSource on a URL, by the npm package, told on stdout a JSON line for each step.
//
//     node listen.cjs <folder with node_modules> <url> <event types, apart by commas> [gzip]
//
// {"open": headers}, {"type", "data", "id"} for each event, {"error": what it says of it}. It
// reconnects by itself, with the last id. SPDX-License-Identifier: MIT
'use strict'
const { createRequire } = require('node:module')
const [folder, url, types, encoding] = process.argv.slice(2)
const { EventSource } = createRequire(`${folder}/`)('eventsource')

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')

// Node's own fetch unpacks what it asked for.
const source = new EventSource(url, {
  fetch: async (input, init) => {
    const headers = { ...init.headers, 'Accept-Encoding': encoding || 'identity' }
    const response = await fetch(input, { ...init, headers })
    say({ open: Object.fromEntries(response.headers), sent: headers })
    return response
  },
})
source.onerror = (event) => say({ error: String(event.message ?? event.code ?? 'error'), state: source.readyState })
for (const type of types.split(',')) {
  source.addEventListener(type, (event) => say({ type, data: event.data, id: event.lastEventId }))
}
