import express from 'express';
import session from 'express-session';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

const { SESSION_SECRET = '', PORT, HOST = '' } = process.env;

const app = express();
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));

app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1;
  res.send(`Views: ${req.session.views}`);
});

app.listen(Number(PORT), HOST);
