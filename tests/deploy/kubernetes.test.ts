// deploy/: the manifests fit together, and the image has what they and the agent look for. No cluster is asked.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';

const DEPLOY = path.join(import.meta.dirname, '../../deploy');
const read = (file: string): string => readFileSync(path.join(DEPLOY, file), 'utf8');

type Labels = Readonly<Record<string, string>>;

interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Deployment extends Manifest {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: {
      readonly metadata: { readonly labels: Labels; readonly annotations: Labels };
      readonly spec: { readonly serviceAccountName: string; readonly containers: readonly [Container] };
    };
  };
}

interface Service extends Manifest {
  readonly spec: { readonly selector: Labels; readonly ports: readonly { readonly targetPort: string }[] };
}

interface RoleBinding extends Manifest {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: readonly { readonly kind: string; readonly name: string }[];
}

interface HorizontalPodAutoscaler extends Manifest {
  readonly spec: { readonly scaleTargetRef: { readonly kind: string; readonly name: string } };
}

interface PodDisruptionBudget extends Manifest {
  readonly spec: { readonly selector: { readonly matchLabels: Labels } };
}

function manifests(file: string): Manifest[] {
  return parseAllDocuments(read(file)).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS() as Manifest;
  });
}

/** The API of each kind that is used. */
const API_VERSIONS: Labels = {
  Namespace: 'v1',
  ServiceAccount: 'v1',
  Service: 'v1',
  Role: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  Deployment: 'apps/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  PodDisruptionBudget: 'policy/v1',
  WorkloadEntry: 'networking.istio.io/v1',
  ServiceEntry: 'networking.istio.io/v1',
  Gateway: 'networking.istio.io/v1',
  VirtualService: 'networking.istio.io/v1',
  PeerAuthentication: 'security.istio.io/v1',
};

for (const file of ['kubernetes/gateway.yaml', 'compose/istiod/mesh.yaml']) {
  test(`${file} has the API of each kind, and a namespace that it makes`, () => {
    const all = manifests(file);
    const namespaces = new Set(
      all.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name),
    );
    for (const { apiVersion, kind, metadata } of all) {
      assert.equal(apiVersion, API_VERSIONS[kind], kind);
      if (kind !== 'Namespace') assert.ok(namespaces.has(metadata.namespace!), `${kind} ${metadata.name}`);
    }
  });
}

describe('the gateway', () => {
  const all = manifests('kubernetes/gateway.yaml');
  const one = <T extends Manifest>(kind: string): T => {
    const found = all.filter((manifest) => manifest.kind === kind);
    assert.equal(found.length, 1, kind);
    return found[0] as T;
  };
  const has = ({ kind, name }: { kind: string; name: string }): boolean => one(kind).metadata.name === name;
  const { spec } = one<Deployment>('Deployment');
  const { metadata: pod, spec: podSpec } = spec.template;
  const [container] = podSpec.containers;
  const selects = (labels: Labels): boolean =>
    Object.entries(labels).every(([key, value]) => pod.labels[key] === value);

  test('is selected by its deployment, its service and its disruption budget', () => {
    assert.ok(selects(spec.selector.matchLabels));
    assert.ok(selects(one<Service>('Service').spec.selector));
    assert.ok(selects(one<PodDisruptionBudget>('PodDisruptionBudget').spec.selector.matchLabels));
    assert.ok(has(one<HorizontalPodAutoscaler>('HorizontalPodAutoscaler').spec.scaleTargetRef));
  });

  test('runs as an account that may read secrets', () => {
    assert.ok(has({ kind: 'ServiceAccount', name: podSpec.serviceAccountName }));
    const binding = one<RoleBinding>('RoleBinding');
    assert.ok(has(binding.roleRef));
    assert.deepEqual(
      binding.subjects.map(({ name }) => name),
      [podSpec.serviceAccountName],
    );
  });

  test('has the ports that its service and its probes name', () => {
    const names = container.ports.map(({ name }) => name);
    const wanted = one<Service>('Service').spec.ports.map(({ targetPort }) => targetPort);
    wanted.push(container.startupProbe.httpGet.port, container.readinessProbe.httpGet.port);
    for (const port of wanted) assert.ok(names.includes(port), port);
  });

  test("is filled in by Istio's injection, with this image", () => {
    assert.equal(pod.labels['sidecar.istio.io/inject'], 'true');
    assert.equal(pod.annotations['inject.istio.io/templates'], 'gateway');
    assert.equal(container.name, 'istio-proxy');
    assert.match(container.image, /\/pilotfish-proxyv2:/);
  });
});

test('the injection template changes the image of the sidecar, as a container or as an init container', () => {
  const values = parse(read('kubernetes/injection-template.yaml')) as {
    sidecarInjectorWebhook: { templates: { pilotfish: string } };
  };
  const template = values.sidecarInjectorWebhook.templates.pilotfish;
  for (const [native, list] of [
    [true, 'initContainers'],
    [false, 'containers'],
  ] as const) {
    const rendered = template
      .replace(/\s*\{\{- \$native .*\}\}/, '')
      .replace(
        /\s*\{\{- if \$native \}\}([^{]*?)\s*\{\{- else \}\}([^{]*?)\s*\{\{- end \}\}/,
        native ? '$1' : '$2',
      )
      .replace(/\{\{ annotation \.ObjectMeta `\S+` `(\S+)` \}\}/, '$1');
    assert.doesNotMatch(rendered, /\{\{/);
    const pod = parse(rendered) as { spec: Record<string, { name: string; image: string }[]> };
    assert.deepEqual(Object.keys(pod.spec), [list]);
    assert.equal(pod.spec[list]![0]!.name, 'istio-proxy');
    assert.match(pod.spec[list]![0]!.image, /\/pilotfish-proxyv2:/);
  }
});

describe('the image', () => {
  const root = path.join(DEPLOY, '..');
  const dockerfile = read('Dockerfile');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources]) =>
    sources!.split(' '),
  );

  test('copies what is there, and what is not left out', () => {
    const kept = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n');
    assert.ok(copied.length > 0);
    for (const source of copied) {
      assert.ok(existsSync(path.join(root, source)), source);
      const isKept = kept.includes(`!${source}`) || kept.includes(`!${source.split('/')[0]}`);
      assert.ok(isKept, `${source} in .dockerignore`);
    }
  });

  test('has all that the server imports', () => {
    const outside = globSync('{server,xds-protos}/**/*.ts', { cwd: root })
      .filter(
        (file) => !file.endsWith('.test.ts') && !file.includes('/testing/') && !file.includes('/generated/'),
      )
      .flatMap((file) => {
        const imports = readFileSync(path.join(root, file), 'utf8').matchAll(
          /^(?:import|export) [^;]*?from '(\.[^']+)'/gm,
        );
        return [...imports].map(([, target]) => path.join(path.dirname(file), target!));
      })
      .filter((target) => !copied.some((source) => target.startsWith(`${source}/`)));
    assert.deepEqual(outside, []);
  });

  test('starts the proxy in the place of Envoy', () => {
    assert.match(dockerfile, /ln -s \/opt\/pilotfish\/bin\/envoy \/usr\/local\/bin\/envoy/);
    assert.ok(statSync(path.join(DEPLOY, 'envoy')).mode & 0o111, 'deploy/envoy may be executed');
    const [, node, script] = /^exec (\S+) (\S+) "\$@"$/m.exec(read('envoy'))!;
    for (const file of [node!, script!]) {
      assert.ok(existsSync(path.join(root, file.replace('/opt/pilotfish/', ''))), file);
    }
  });
});
