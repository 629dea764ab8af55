// The page's files as they lie in gateway/dashboard/, each also as dashboard/pack has made it small, for gzip and for
// brotli: one line a file here is all that serving one takes (traps 40: .incbin costs nothing to build). dashboard.c
// walks the table, whose rows are its file_t: path, content type, and where each form begins; the last one's end.
// SPDX-License-Identifier: MIT
    .section .note.GNU-stack,"",%progbits

    .section .rodata
html: .asciz "text/html; charset=utf-8"
js:   .asciz "text/javascript; charset=utf-8"
css:  .asciz "text/css; charset=utf-8"
svg:  .asciz "image/svg+xml"
text: .asciz "text/plain; charset=utf-8"

    .macro file path, type
    .section .rodata
1:  .asciz "\path"
2:  .incbin "gateway/dashboard/\path"
3:  .incbin "\path\().gz"
4:  .incbin "\path\().br"
5:  .byte 0
    .section .data.rel.ro, "aw"
    .balign 8
    .dc.a 1b, \type, 2b, 3b, 4b, 5b
    .endm

    .section .data.rel.ro, "aw"
    .balign 8
    .global dashboard_files
dashboard_files:
    file "index.html", html
    file "app.js", js
    file "style.css", css
    file "more.css", css
    file "icon.svg", svg
    file "lib/ui.js", js
    file "lib/live.js", js
    file "lib/route.js", js
    file "lib/settings.js", js
    file "lib/format.js", js
    file "lib/clock.js", js
    file "lib/fleet.js", js
    file "lib/usage.js", js
    file "lib/actions.js", js
    file "lib/alerts.js", js
    file "lib/export.js", js
    file "lib/history.js", js
    file "lib/metrics.js", js
    file "lib/notices.js", js
    file "views/frame.js", js
    file "views/badge.js", js
    file "views/account.js", js
    file "views/cells.js", js
    file "views/parts.js", js
    file "views/chart.js", js
    file "views/toasts.js", js
    file "views/fleet.js", js
    file "views/help.js", js
    file "views/login.js", js
    file "views/path.js", js
    file "views/export.js", js
    file "views/worker.js", js
    file "views/jobs.js", js
    file "views/events.js", js
    file "views/alerts.js", js
    file "views/system.js", js
    file "views/collectors.js", js
    file "vendor/preact.js", js
    file "vendor/hooks.js", js
    file "vendor/htm.js", js
    file "vendor/uplot.js", js
    file "vendor/uplot.css", css
    file "vendor/LICENSES.txt", text
    file "client/sse-client.js", js
    file "client/model.js", js
    file "client/worker.js", js
    file "client/hub.js", js
    file "client/filter.js", js
    file "client/stream.js", js
    file "client/parser.js", js
    file "client/digest.js", js
    file "client/arrivals.js", js
    .dc.a 0
