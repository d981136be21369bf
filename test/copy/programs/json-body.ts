import express from 'express';
import { z } from 'zod';
import { jsonBody, trimmedText } from '../../../services/shared/http/json-body.ts';

const order = z.object({ item: trimmedText(20), quantity: z.int().min(1).max(99) });

const app = express();
app.post('/orders', jsonBody(order), (req, res) => void res.status(201).json(req.body));
app.listen(Number(process.env.PORT));
