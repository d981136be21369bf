import { createExpress } from '../../../services/shared/http/express.ts';

const app = createExpress();
app.get('/scheme', (req, res) => void res.send(req.protocol));
app.listen(Number(process.env.PORT));
