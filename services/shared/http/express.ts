import express, { type Express } from 'express';

/** An Express with the settings that all services behind nginx have in common. */
export function newExpress(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // each reply differs, or is too short to gain by it
  app.enable('case sensitive routing'); // so that a path means to nginx what it means here
  app.enable('strict routing');
  app.set('trust proxy', 1); // nginx, and nobody before it
  return app;
}
