// The page's files as they lie in gateway/dashboard/ (traps 40: .incbin costs nothing to build).
    .section .note.GNU-stack,"",%progbits
    .section .rodata
    .macro embed name, file
    .global file_\name
    .global file_\name\()_end
file_\name:
    .incbin "\file"
file_\name\()_end:
    .byte 0
    .endm
    embed index_html, "gateway/dashboard/index.html"
    embed app_js, "gateway/dashboard/app.js"
    embed sse_client_js, "gateway/dashboard/sse-client.js"
    embed style_css, "gateway/dashboard/style.css"
    embed icon_svg, "gateway/dashboard/icon.svg"
