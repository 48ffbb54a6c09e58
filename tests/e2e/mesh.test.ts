// The dashboard of a sidecar, as a recorded istiod configured it.

import { RecordedMesh } from './recorded_mesh.ts';
import { WALKS } from './screens.ts';
import { walkThrough } from './walk.ts';

const walks = WALKS.filter(({ mesh }) => mesh === true);

walkThrough('the dashboard of a sidecar', () => RecordedMesh.start(), walks);
