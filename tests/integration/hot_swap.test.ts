// A thousand edits by incremental ADS: see edits_under_load.ts.

import { ControlPlane } from './control_plane.ts';
import { editUnderLoad } from './edits_under_load.ts';

editUnderLoad(() => ControlPlane.start());
