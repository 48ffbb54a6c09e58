// A /config_dump file that is dropped anywhere on the page is opened. It stays in the browser.

import { useEffect, useRef, useState } from 'react';
import { Dump, showDump } from '../api/dump.ts';
import { queryClient } from '../api/queries.ts';
import { toast } from './Toasts.tsx';

export async function openDumpFile(file: File): Promise<void> {
  try {
    showDump(new Dump(file.name, await file.text()));
    queryClient.clear();
  } catch (error) {
    toast(`${file.name} cannot be opened: ${(error as Error).message}`, 'bad');
  }
}

/** For those who cannot drop. */
export function OpenDumpButton() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="link-button" onClick={() => input.current?.click()}>
        Open a config_dump file
      </button>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        hidden
        aria-label="A config_dump file"
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file !== undefined) void openDumpFile(file);
          event.target.value = '';
        }}
      />
    </>
  );
}

export function DumpDrop() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const onDragOver = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes('Files') !== true) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent): void => {
      const file = event.dataTransfer?.files[0];
      setOver(false);
      if (file === undefined) return;
      event.preventDefault();
      void openDumpFile(file);
    };
    document.addEventListener('dragover', onDragOver);
    document.addEventListener('dragleave', onLeave);
    document.addEventListener('drop', onDrop);
    return () => {
      document.removeEventListener('dragover', onDragOver);
      document.removeEventListener('dragleave', onLeave);
      document.removeEventListener('drop', onDrop);
    };
  }, []);
  return over ? (
    <div className="drop-target">Drop a /config_dump file to look into it. It is not uploaded.</div>
  ) : null;
}
