// How the dashboard is built: static files below /ui/ that need nothing from anywhere else, and no inline script or style.

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { serverCode } from './server_code.ts';

export default defineConfig({
  root: import.meta.dirname,
  base: '/ui/',
  plugins: [react()],
  worker: { format: 'es', plugins: () => [serverCode()] },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // What a person with an engineer's browser has: light-dark(), :has(), native nesting.
    target: ['chrome123', 'firefox125', 'safari17.5'],
    // The content security policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The server's code takes its time, and nobody who starts the proxy need know.
    rolldownOptions: { checks: { bundlerTimings: false } },
    // Read by the test that weighs the first load.
    manifest: 'manifest.json',
  },
  server: {
    // `npx vite admin-ui` while working on it, beside a proxy that runs.
    proxy: Object.fromEntries(
      ['/api', '/stats', '/clusters', '/server_info', '/config_dump', '/explain'].map((path) => [
        path,
        process.env['PILOTFISH_ADMIN'] ?? 'http://127.0.0.1:15000',
      ]),
    ),
  },
});
