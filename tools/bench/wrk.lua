-- Sends the body in its first argument, with the cookies in the others in turn. Without a body it
-- sends GET requests. Prints a Load (autocannon.ts) as JSON.
local requests = {}
local sent = 0

function init(args)
  local body = args[1]
  local function add(cookie)
    local headers = { Accept = '*/*', Cookie = cookie }
    if body == '' then
      table.insert(requests, wrk.format('GET', nil, headers))
    else
      headers['Content-Type'] = 'application/json'
      table.insert(requests, wrk.format('POST', nil, headers, body))
    end
  end
  for i = 2, #args do add(args[i]) end
  if #requests == 0 then add() end
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
