-- Sends the cookies in its arguments in turn. Prints a Load (load.ts) as JSON.
local requests = {}
local sent = 0

function init(cookies)
  for _, cookie in ipairs(cookies) do
    table.insert(requests, wrk.format('GET', nil, { Accept = '*/*', Cookie = cookie }))
  end
  if #requests == 0 then requests[1] = wrk.format('GET', nil, { Accept = '*/*' }) end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end

-- A check of each status would slow wrk down; wrk itself counts those of 400 and above.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"seconds":%f,"requests":%d,"others":%d,"errors":%d,"p50Ms":%f,"p99Ms":%f}\n',
    summary.duration / 1e6,
    summary.requests - errors.status,
    errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3))
end
