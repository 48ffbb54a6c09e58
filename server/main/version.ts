// Which program this is, in the form of Envoy's --version and /server_info.

import { VERSION } from '../common/version.ts';

export { VERSION };
/** `<revision>/<version>/<status>/<build>/<TLS library>`. */
export const VERSION_LINE = `pilotfish/${VERSION}/Clean/RELEASE/OpenSSL-${process.versions.openssl}`;
/** Nothing is shared with other versions, so there is only one. */
export const HOT_RESTART_VERSION = '1';
