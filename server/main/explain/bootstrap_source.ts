// The static resources of a bootstrap, for questions about them. What a control plane would add is not there.

import { loadBootstrap } from '../bootstrap/bootstrap.ts';
import { parseCommandLine } from '../bootstrap/command_line.ts';
import type { ConfigurationSource } from './configuration.ts';
import { DescriptionError } from './description.ts';
import { resourceSource } from './resource_source.ts';

/** Throws ConfigError for a bootstrap that could not be served. */
export function bootstrapSource(file: string): ConfigurationSource {
  const commandLine = parseCommandLine(['-c', file]);
  if (commandLine.type !== 'run') throw new DescriptionError(`${file} cannot be read`);
  const { bootstrap } = loadBootstrap(commandLine.options);
  const resources = bootstrap.static_resources;
  const names = new Set<string>();
  const listeners = (resources?.listeners ?? []).map((listener, i) => ({
    ...listener,
    name: listener.name || `listener ${i}`,
  }));
  return resourceSource({
    node: bootstrap.node,
    localClusterName: bootstrap.cluster_manager?.local_cluster_name ?? '',
    // As Envoy: the first of a name.
    listeners: listeners.filter(({ name }) => !names.has(name) && names.add(name)),
    clusters: resources?.clusters ?? [],
    routes: [],
    endpoints: [],
    extensions: [],
  });
}
