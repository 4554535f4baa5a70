-- For wrk: the requests of the file that REQUESTS names, one after another; what came of them as JSON.
local requests, turn = {}, 0

function init()
   local file = assert(io.open(os.getenv("REQUESTS"), "rb"))
   for each in file:read("*a"):gmatch("(.-\r\n\r\n)") do
      requests[#requests + 1] = each
   end
   file:close()
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency, _)
   local lost = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50": %d, "p99": %d}\n',
      summary.requests, summary.duration, lost.status,
      lost.connect + lost.read + lost.write + lost.timeout,
      latency:percentile(50), latency:percentile(99)))
end
