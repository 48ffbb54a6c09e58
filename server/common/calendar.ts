// The names of the C locale, for the two pattern languages that print dates: access logs' strftime and the log's spdlog patterns.

/** Indexed by Date's getDay: 0 is Sunday. */
export const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
/** Indexed by Date's getMonth: 0 is January. */
export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
