// Any resource, screen or action by typing a part of its name.

import { Dialog } from '@base-ui/react/dialog';
import { useRouter } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { useState } from 'react';
import { useAnswer } from '../../api/queries.ts';
import type { Page, ResourceSummary } from '../../api/types.ts';
import { linkProps, type Target } from '../../components/ScreenLink.tsx';
import { resourceTarget } from '../resourceTarget.ts';
import { SCREENS } from '../screens.ts';
import './palette.css';

const FOUND = 12;

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('');
  const router = useRouter();
  const search = text.trim();
  const { data } = useAnswer<Page<ResourceSummary>>(
    '/api/resources',
    { search, limit: FOUND },
    { enabled: search !== '' },
  );
  const go = (target: Target): void => {
    onClose();
    void router.navigate(linkProps(target));
  };
  const screens = SCREENS.filter(({ title }) => title.toLowerCase().includes(search.toLowerCase()));
  const resources = search === '' ? [] : (data?.items ?? []);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog palette" aria-label="Search or go to">
          <Command shouldFilter={false} label="Search or go to" loop>
            <Command.Input value={text} onValueChange={setText} placeholder="A resource, a stat, a screen" />
            <Command.List>
              <Command.Empty>Nothing of this name</Command.Empty>
              {screens.length > 0 && (
                <Command.Group heading="Screens">
                  {screens.map(({ path, title, key }) => (
                    <Command.Item key={path} value={`screen ${path}`} onSelect={() => go({ screen: path })}>
                      <span>{title}</span>
                      <span className="quiet">
                        <kbd>g</kbd> <kbd>{key}</kbd>
                      </span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {resources.length > 0 && (
                <Command.Group heading="Resources">
                  {resources.map(({ kind, name, state }) => (
                    <Command.Item
                      key={`${kind} ${name}`}
                      value={`${kind} ${name}`}
                      onSelect={() => go(resourceTarget(kind, name))}
                    >
                      <span className="mono">{name}</span>
                      <span className="quiet">{state === 'active' ? kind : `${kind}, ${state}`}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
