import express, { type RequestHandler } from 'express';
import { z } from 'zod';
import { tellApartByBody } from './idempotency.ts';
import { sendProblem } from './problem.ts';

const parse = express.json({ limit: '16kb' });

/**
 * Reads a JSON body and checks it; handlers after it find it in `req.body`. Answers 415 where it is
 * of another type, 400 where it is no JSON, 413 over 16 KB, and 422 naming the first bad field.
 */
export function jsonBody(schema: z.ZodObject): RequestHandler[] {
  const check: RequestHandler = (req, res, next) => {
    const result = schema.safeParse(req.body);
    if (result.success) {
      req.body = result.data;
      tellApartByBody(req);
      return next();
    }
    const [issue] = result.error.issues;
    const field = issue?.path.join('.') || 'body';
    return sendProblem(res, 422, `${field}: ${issue?.message}`);
  };
  const isJson: RequestHandler = (req, res, next) => {
    if (req.is('application/json')) return next();
    return sendProblem(res, 415, 'The body must be JSON, with Content-Type: application/json.');
  };
  return [isJson, parse, check];
}

/** A text of 1 to `max` characters (Unicode code points). */
export function text(max: number) {
  const message = `must be a text of 1 to ${max} characters`;
  return z
    .string(message)
    .refine((value) => value.isWellFormed() && value !== '' && [...value].length <= max, message);
}

/** The same, without the white space around it. */
export function trimmedText(max: number) {
  return z.preprocess((value) => (typeof value === 'string' ? value.trim() : value), text(max));
}
