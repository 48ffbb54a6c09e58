// Which program this is, in the form of Envoy's --version and /server_info.

import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const VERSION = version;
/** `<revision>/<version>/<status>/<build>/<TLS library>`. */
export const VERSION_LINE = `pilotfish/${version}/Clean/RELEASE/OpenSSL-${process.versions.openssl}`;
/** Nothing is shared with other versions, so there is only one. */
export const HOT_RESTART_VERSION = '1';
