-- wrk: the request of the h1post workload.
wrk.method = "POST"
wrk.body = string.rep("x", 16384)
