import express from 'express';
import { noSpeculation } from '../../../services/shared/http/no-speculation.ts';

const app = express();
app.get('/', noSpeculation, (_req, res) => void res.send('counted'));
app.listen(Number(process.env.PORT));
