// THE list of workloads, in the order in which they run.

import { admin } from './admin_workload.ts';
import { clusters } from './clusters_workload.ts';
import { mem } from './memory_workload.ts';
import { grpc, grpc1, h1get, h1get1, h1post, h2h1, tcpbulk, tcppp16, tls } from './request_workloads.ts';
import type { Workload } from './workload.ts';

export const WORKLOADS = {
  h1get,
  h1post,
  tls,
  h2h1,
  grpc,
  h1get1,
  grpc1,
  tcpbulk,
  tcppp16,
  mem,
  clusters,
  admin,
} satisfies Record<string, Workload>;
export type WorkloadName = keyof typeof WORKLOADS;
