import express, { type ErrorRequestHandler, type RequestHandler, type Router } from 'express';
import { z } from 'zod';
import { sendProblem } from './problem.ts';

const MAX_KB = 16;
const parse = express.json({ limit: MAX_KB * 1024 });

/**
 * Reads a JSON body into `req.body` and checks it. Answers 415 if it has another type, 400 if it is
 * not JSON, 413 over 16 KB, and 422 with the name of the first wrong field.
 */
export function jsonBody(schema: z.ZodObject): Router {
  const requireJson: RequestHandler = (req, res, next) => {
    if (req.is('application/json')) return next();
    return sendProblem(res, 415, 'The body must be JSON, with Content-Type: application/json.');
  };
  const validate: RequestHandler = (req, res, next) => {
    const { data, error } = schema.safeParse(req.body);
    const issue = error?.issues[0];
    if (issue) return sendProblem(res, 422, `${issue.path.join('.') || 'body'}: ${issue.message}`);
    req.body = data;
    next();
  };
  return express.Router().use(requireJson, parse, nameLimit, validate);
}

const nameLimit: ErrorRequestHandler = (err, _req, res, next) => {
  if (err.type !== 'entity.too.large') return next(err);
  sendProblem(res, 413, `The body is larger than ${MAX_KB} KB.`);
};

/**
 * Characters that nobody sees, or that turn the text around them: controls, directions, zero width.
 * Those that join letters and emoji are needed in names.
 */
const HIDDEN =
  /[[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\u{200c}\u{200d}\u{fe0e}\u{fe0f}]]/v;
const VISIBLE = /[[\p{L}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\u{2800}]]/v;

/** A text of 1 to `max` characters (Unicode code points) that can be seen. */
export function text(max: number) {
  const message = `must be a text of 1 to ${max} visible characters`;
  return z
    .string(message)
    .refine((value) => value.isWellFormed() && [...value].length <= max, message)
    .refine((value) => VISIBLE.test(value) && !HIDDEN.test(value), message);
}

/** The same, without the white space around it. */
export function trimmedText(max: number) {
  return z.preprocess((value) => (typeof value === 'string' ? value.trim() : value), text(max));
}
