// A line without axes, beside the number that it belongs to. Tells its past in words, too.

interface Props {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly color?: 1 | 2 | 3 | 4 | 5 | 6;
}

const WIDTH = 120;
const HEIGHT = 24;

export function Sparkline({ label, values, color = 1 }: Props) {
  const known = values.filter((value): value is number => value !== null);
  const most = Math.max(...known, 0);
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  const y = (value: number): number => HEIGHT - 1.5 - (most === 0 ? 0 : (value / most) * (HEIGHT - 3));
  let path = '';
  let drawing = false;
  values.forEach((value, index) => {
    if (value !== null) path += `${drawing ? 'L' : 'M'}${(index * step).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = value !== null;
  });
  return (
    <svg
      className={`sparkline series-${color}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={path} />
    </svg>
  );
}
