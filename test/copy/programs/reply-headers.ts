import { hostname } from 'node:os';
import express from 'express';
import { replyHeaders } from '../../../services/shared/http/reply-headers.ts';

const app = express();
app.use(replyHeaders({ name: process.env.INSTANCE ?? hostname() }));
app.get('/', (_req, res) => void res.send('hello'));
app.listen(Number(process.env.PORT));
