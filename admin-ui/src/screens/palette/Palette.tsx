// Anything by typing a part of its name: screens, resources, stats, actions, and what Envoy's response flags mean.

import { Dialog } from '@base-ui/react/dialog';
import { useRouter } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { type ReactNode, useState } from 'react';
import { openDump } from '../../api/dump.ts';
import { useAnswer } from '../../api/queries.ts';
import type { Page, ResourceSummary, StatRow } from '../../api/types.ts';
import { linkProps, type Target } from '../../components/ScreenLink.tsx';
import { toast } from '../../components/Toasts.tsx';
import { short } from '../../format.ts';
import { chooseTheme } from '../../theme.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { SCREENS } from '../screens.ts';
import './palette.css';

/** Of each group. */
const MOST = 8;

/** Of Envoy's response flags. */
interface Flag {
  readonly flag: string;
  readonly name: string;
  readonly description: string;
}

interface Action {
  readonly title: string;
  readonly run: () => void;
}

const ACTIONS: readonly Action[] = [
  { title: 'Theme: dark', run: () => chooseTheme('dark') },
  { title: 'Theme: light', run: () => chooseTheme('light') },
  { title: 'Theme: as the system', run: () => chooseTheme('system') },
  { title: 'Copy a link to what is shown', run: () => void copyLink() },
  { title: 'Download /config_dump', run: () => window.open('/config_dump?include_eds', '_blank') },
];

async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    toast('The link is copied');
  } catch {
    toast('This browser does not let pages copy', 'bad');
  }
}

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('');
  const router = useRouter();
  const search = text.trim();
  const enabled = search !== '';
  const resources = useAnswer<Page<ResourceSummary>>('/api/resources', { search, limit: MOST }, { enabled });
  const stats = useAnswer<Page<StatRow>>(
    '/api/stats',
    { search, used: 'true', limit: MOST },
    { enabled: enabled && openDump() === undefined },
  );
  const allFlags = useAnswer<{ readonly items: readonly Flag[] }>(
    '/api/flags',
    {},
    { enabled: enabled && openDump() === undefined },
  );
  const go = (target: Target): void => {
    onClose();
    void router.navigate(linkProps(target));
  };
  const has = (name: string): boolean => name.toLowerCase().includes(search.toLowerCase());
  const found = enabled ? (resources.data?.items ?? []) : [];
  const foundStats = enabled ? (stats.data?.items ?? []) : [];
  const flags = (enabled ? (allFlags.data?.items ?? []) : []).filter(
    ({ flag, name, description }) =>
      flag.toLowerCase() === search.toLowerCase() || (search.length > 2 && (has(name) || has(description))),
  );
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog palette" aria-label="Search or go to">
          <Command shouldFilter={false} label="Search or go to" loop>
            <Command.Input
              value={text}
              onValueChange={setText}
              placeholder="A resource, a stat, a screen, a response flag"
            />
            <Command.List>
              <Command.Empty>Nothing of this name</Command.Empty>
              <Group heading="Response flags" items={flags.slice(0, MOST)}>
                {({ flag, name, description }) => (
                  <Item key={flag} id={`flag ${flag}`} onSelect={() => go({ screen: '/traffic', params: { flag } })} note={description}>
                    <span className="mono">{flag}</span> {name}
                  </Item>
                )}
              </Group>
              <Group heading="Screens" items={SCREENS.filter(({ title }) => has(title))}>
                {({ path, title, key }) => (
                  <Item key={path} id={`screen ${path}`} onSelect={() => go({ screen: path })} note={<><kbd>g</kbd> <kbd>{key}</kbd></>}>
                    {title}
                  </Item>
                )}
              </Group>
              <Group heading="Resources" items={found}>
                {({ kind, name, state }) => (
                  <Item key={`${kind} ${name}`} id={`${kind} ${name}`} onSelect={() => go(resourceTarget(kind, name))} note={state === 'active' ? kind : `${kind}, ${state}`}>
                    <span className="mono">{name}</span>
                  </Item>
                )}
              </Group>
              <Group heading="Stats" items={foundStats}>
                {({ name, value, kind }) => (
                  <Item key={name} id={`stat ${name}`} onSelect={() => go({ screen: '/stats', params: { stat: name } })} note={`${kind} ${short(value)}`}>
                    <span className="mono">{name}</span>
                  </Item>
                )}
              </Group>
              <Group heading="Actions" items={ACTIONS.filter(({ title }) => has(title))}>
                {({ title, run }) => (
                  <Item
                    key={title}
                    id={`action ${title}`}
                    onSelect={() => {
                      onClose();
                      run();
                    }}
                  >
                    {title}
                  </Item>
                )}
              </Group>
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  ); // biome-ignore format: a table
}

function Group<Each>({
  heading,
  items,
  children,
}: {
  heading: string;
  items: readonly Each[];
  children: (item: Each) => ReactNode;
}) {
  if (items.length === 0) return null;
  return <Command.Group heading={heading}>{items.map(children)}</Command.Group>;
}

interface ItemProps {
  readonly id: string;
  readonly onSelect: () => void;
  readonly note?: ReactNode;
  readonly children: ReactNode;
}

function Item({ id, onSelect, note, children }: ItemProps) {
  return (
    <Command.Item value={id} onSelect={onSelect}>
      <span>{children}</span>
      {note !== undefined && <span className="quiet">{note}</span>}
    </Command.Item>
  );
}
