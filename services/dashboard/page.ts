import type { Assets } from './assets.ts';

/** What the page knows before its modules have loaded, and without them. */
export interface PageFacts {
  views: number;
  instance: string;
  /** Who is logged in. */
  name: string | undefined;
  /** Where an audience reaches the page. */
  roomUrl: string | undefined;
}

/** `GET /` for a browser: what was counted, and the board around it. Its modules fill in the rest. */
export function page(facts: PageFacts, assets: Assets): string {
  const { views, instance, name = '', roomUrl = '' } = facts;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Shared State</title>
    <link rel="icon" href="${assets.url('icon.svg')}">
    <link rel="stylesheet" href="${assets.url('uPlot.min.css')}">
    <link rel="stylesheet" href="${assets.url('board.css')}">
    <script src="${assets.url('uPlot.iife.min.js')}" defer></script>
    <script src="${assets.url('main.js')}" type="module"></script>
  </head>
  <body data-views="${views}" data-instance="${escapeHtml(instance)}" data-room="${escapeHtml(roomUrl)}">
    <header>
      <p class="title">Shared State</p>
      <p id="connection" role="status" data-live="false">connecting</p>
    </header>
    <main>
      <p id="warning" class="warning" role="alert" hidden></p>

      <div class="column wide">
        <section class="session" aria-labelledby="views">
          <h1 id="views">Views: ${views}</h1>
          <p>answered by <strong id="instance" class="badge" data-instance="${escapeHtml(instance)}">${escapeHtml(instance)}</strong></p>
          <p class="buttons">
            <button type="button" id="visit">Visit</button>
            <button type="button" id="visit-many">Visit ×100</button>
            <button type="button" id="new-session">New session</button>
          </p>
          <ol id="trail" class="trail" aria-label="Views by number, coloured by instance" tabindex="0"></ol>
          <p id="trail-summary" class="summary" role="status"></p>
          <noscript><p>Reload: the number goes on, the instance changes. The number is in Redis, where all instances see it.</p></noscript>
          <p class="hint">Each view is counted by another instance, and the number goes on: it is in Redis, where all of them see it.</p>
        </section>

        <section class="instances" aria-labelledby="instances-title">
          <h2 id="instances-title">Instances</h2>
          <div id="instances" class="cards"></div>
        </section>

        <div class="row">
          <section class="latency" aria-labelledby="latency-title">
            <h2 id="latency-title">Latency <small>99th percentile, ms</small></h2>
            <div id="latency" role="img" aria-label="Latency over the last minutes"></div>
          </section>

          <section class="room" aria-labelledby="room-title">
            <h2 id="room-title">Room</h2>
            <p>people: <strong id="people">0</strong>, views: <strong id="room-views">0</strong></p>
            <div id="lanes" class="lanes"></div>
            <div id="room-open" class="room-open" hidden>
              <img id="room-code" alt="QR code of the address" width="160" height="160">
              <p>Join: <a id="room-url"></a></p>
            </div>
            <p id="room-closed" class="hint">Only this machine reaches the page. To let the room in: <code>BIND=0.0.0.0 npm start</code></p>
          </section>
        </div>
      </div>

      <div class="column">
        <section class="who" aria-labelledby="who-title">
          <h2 id="who-title">In your session</h2>
          <p id="who">${name === '' ? 'not logged in' : `logged in as ${escapeHtml(name)}`}</p>
          <form id="login" class="buttons"${name === '' ? '' : ' hidden'}>
            <label for="name">Name</label>
            <input id="name" name="name" maxlength="40" autocomplete="off" required>
            <button>Log in</button>
          </form>
          <p class="buttons" id="logout-line"${name === '' ? ' hidden' : ''}>
            <button type="button" id="logout">Log out</button>
          </p>
          <form id="cart-form" class="buttons">
            <label for="item">Item</label>
            <input id="item" name="item" maxlength="60" autocomplete="off" value="tea" required>
            <button>Add to cart</button>
          </form>
          <ul id="cart" class="cart" aria-label="Cart"></ul>
          <p id="session-failure" class="failure" role="status"></p>
        </section>

        <section class="store" aria-labelledby="redis-title">
          <h2 id="redis-title">Redis <span id="redis-state" class="state" data-reachable="true" role="status">…</span></h2>
          <dl class="figures">
            <div><dt>sessions</dt><dd id="redis-sessions">–</dd></div>
            <div><dt>operations/s</dt><dd id="redis-operations">–</dd></div>
            <div><dt>memory</dt><dd id="redis-memory">–</dd></div>
          </dl>
          <h2>Cache</h2>
          <dl class="figures">
            <div><dt>hit ratio</dt><dd id="cache-hit-ratio">–</dd></div>
            <div><dt>local hits</dt><dd id="cache-local-hits">–</dd></div>
            <div><dt>Redis hits</dt><dd id="cache-redis-hits">–</dd></div>
            <div><dt>origin calls</dt><dd id="cache-origin-calls">–</dd></div>
            <div><dt>age of /data</dt><dd id="data-age">–</dd></div>
          </dl>
          <p class="buttons">
            <button type="button" id="fetch">Fetch</button>
            <button type="button" id="fetch-many">Fetch ×100</button>
            <button type="button" id="forget">Forget</button>
          </p>
          <p id="fetch-summary" class="summary" role="status"></p>
        </section>

        <section id="chaos" class="chaos" aria-labelledby="chaos-title" hidden>
          <h2 id="chaos-title">Chaos</h2>
          <p id="chaos-key" class="hint" hidden>It takes the presenter's key: open the address that was printed at the start.</p>
          <div id="chaos-controls">
            <p class="buttons">
              <button type="button" id="kill">Kill this instance</button>
              <button type="button" id="hang">Hang it 10 s</button>
              <button type="button" id="pause-redis">Pause Redis 5 s</button>
            </p>
            <p class="slider">
              <label for="origin-delay">Origin delay</label>
              <input id="origin-delay" type="range" min="0" max="2000" step="50" value="200">
              <output for="origin-delay" id="origin-delay-value"></output>
            </p>
            <p class="slider">
              <label for="origin-failures">Origin failures</label>
              <input id="origin-failures" type="range" min="0" max="100" step="5" value="0">
              <output for="origin-failures" id="origin-failures-value"></output>
            </p>
            <p class="buttons"><button type="button" id="reset-origin">Reset origin</button></p>
          </div>
          <p id="chaos-answer" class="summary" role="status"></p>
        </section>

        <section class="switches" aria-labelledby="switches-title">
          <h2 id="switches-title">Switches in force</h2>
          <dl id="switches" class="figures"></dl>
        </section>
      </div>
    </main>
  </body>
</html>
`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
