import express from 'express';
import {
  commonVariables,
  readVariables,
  wholeNumber,
} from '../../../services/shared/process/config.ts';
import { runService } from '../../../services/shared/process/service.ts';

const variables = commonVariables.extend({
  STEP: wholeNumber(1, 1, 100, 'views that one request counts'),
});

await runService(
  (env) => readVariables(variables, env),
  ({ config, connect, instance }) => {
    const redis = connect({ name: 'Redis', scripts: {} });
    const app = express();
    app.get('/', async (_req, res) => {
      const views = await redis.incrBy('service:views', config.STEP);
      res.send(`Views: ${views}, counted by ${instance.name}`);
    });
    return app;
  },
);
