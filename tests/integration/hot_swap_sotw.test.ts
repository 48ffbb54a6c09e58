// A thousand edits by state-of-the-world ADS: see edits_under_load.ts.

import { editUnderLoad } from './edits_under_load.ts';
import { SotwControlPlane } from './sotw_control_plane.ts';

editUnderLoad(() => SotwControlPlane.start());
