// The command line as /server_info shows it. Envoy: source/server/options_impl.cc (OptionsImpl::toCommandLineOptions).

import type { CommandLineOptions } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import { create } from '../../../xds-protos/load.ts';
import { durationOf } from '../../../xds-protos/well_known.ts';
import { DEFAULT_LOG_FORMAT } from '../../common/log_format.ts';
import { redactedYaml } from '../bootstrap/bootstrap.ts';
import type { Options } from '../bootstrap/command_line.ts';

const MODES = { serve: 'Serve', validate: 'Validate', init_only: 'InitOnly' } as const;
/** What Envoy shows where --socket-path is not given. */
const DEFAULT_SOCKET_PATH = '@envoy_domain_socket';

export function commandLineOptions(options: Options): CommandLineOptions {
  const { inert } = options;
  return create('envoy.admin.v3.CommandLineOptions', {
    base_id: BigInt(options.baseId),
    use_dynamic_base_id: 'use-dynamic-base-id' in inert,
    skip_hot_restart_on_no_parent: 'skip-hot-restart-on-no-parent' in inert,
    skip_hot_restart_parent_stats: 'skip-hot-restart-parent-stats' in inert,
    base_id_path: options.baseIdPath,
    concurrency: options.concurrency,
    config_path: options.configPath,
    config_yaml: redactedYaml(options.configYaml),
    allow_unknown_static_fields: options.allowUnknownStaticFields,
    reject_unknown_dynamic_fields: options.unknownDynamicFields === 'reject',
    ignore_unknown_dynamic_fields: options.unknownDynamicFields === 'ignore',
    admin_address_path: options.adminAddressPath,
    local_address_ip_version: options.localAddressIpVersion,
    log_level: options.logLevel,
    component_log_level: options.componentLogLevel,
    log_format: options.logFormat || DEFAULT_LOG_FORMAT,
    log_format_escaped: options.logFormatEscaped,
    log_path: options.logPath,
    service_cluster: options.serviceCluster,
    service_node: options.serviceNode,
    service_zone: options.serviceZone,
    file_flush_interval: durationOf(options.fileFlushIntervalMs),
    file_flush_min_size: options.fileFlushMinSizeKb,
    drain_time: durationOf(options.drainTimeS * 1000),
    drain_strategy: options.drainStrategy === 'immediate' ? 'Immediate' : 'Gradual',
    parent_shutdown_time: durationOf(options.parentShutdownTimeS * 1000),
    mode: MODES[options.mode],
    disable_hot_restart: 'disable-hot-restart' in inert,
    enable_mutex_tracing: 'enable-mutex-tracing' in inert,
    restart_epoch: options.restartEpoch,
    cpuset_threads: 'cpuset-threads' in inert,
    disabled_extensions: options.disabledExtensions,
    enable_fine_grain_logging: 'enable-fine-grain-logging' in inert,
    socket_path: textOf(inert['socket-path'], DEFAULT_SOCKET_PATH),
    socket_mode: Number.parseInt(textOf(inert['socket-mode'], '0'), 8),
    enable_core_dump: 'enable-core-dump' in inert,
    stats_tag: options.statsTags.map(({ name, value }) => `${name}:${value}`),
    skip_deprecated_logs: options.skipDeprecatedLogs,
    log_stacktrace_single_entry: 'log-stacktrace-single-entry' in inert,
  });
}

function textOf(value: string | true | undefined, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}
