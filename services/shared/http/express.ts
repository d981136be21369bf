import express, { type Express } from 'express';

/** Creates an Express application with the settings that every application behind nginx shares. */
export function createExpress(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // replies differ from each other, or are too short to gain by it
  app.enable('case sensitive routing'); // nginx compares paths in the same way
  app.enable('strict routing');
  app.set('trust proxy', 1); // exactly one hop: nginx
  return app;
}
