// The entry of the dashboard.

import { CSPProvider } from '@base-ui/react/csp-provider';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { startEvents } from './api/events.ts';
import { followEvents, queryClient } from './api/queries.ts';
import { router } from './router.tsx';
import './styles/theme.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/shell.css';
import './styles/table.css';

startEvents();
followEvents();

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
