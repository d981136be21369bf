import express from 'express';
import { sameOrigin } from '../../../services/shared/http/same-origin.ts';

const app = express();
app.post('/orders', sameOrigin, (_req, res) => void res.status(201).send('ordered'));
app.listen(Number(process.env.PORT));
