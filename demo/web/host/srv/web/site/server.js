// The shop: keeps what is sent to it, and says how much it has.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { HOST, PORT, UPLOAD_DIR } = process.env;

const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
        const uploads = fs.readdirSync(UPLOAD_DIR).length;
        response.end(JSON.stringify({ shop: 'open', uploads }) + '\n');
        return;
    }
    const kept = fs.createWriteStream(path.join(UPLOAD_DIR, `${Date.now()}-${process.hrtime()[1]}`));
    request.pipe(kept).on('finish', () => response.writeHead(201).end());
});
server.listen(Number(PORT), HOST);
