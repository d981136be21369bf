// The wrong way, from most articles: a message goes to the clients of this process.
import express from 'express';
import { WebSocketServer } from 'ws';

const { INSTANCE: via, PORT = '3000', HOST = '0.0.0.0' } = process.env;

const app = express();
app.get(['/', '/readyz'], (_req, res) => {
  res.send('ready');
});
const server = app.listen(Number(PORT), HOST);

const sockets = new WebSocketServer({ server, path: '/live' });
sockets.on('connection', (socket) => {
  socket.on('message', (data) => {
    const message = JSON.stringify({ from: 'a guest', text: String(data), via });
    for (const client of sockets.clients) client.send(message);
  });
});
process.once('SIGTERM', () => process.exit());
