// How pictures come in: dropped anywhere on the page, pasted, or picked.

const READ = /\.(jpe?g|png|webp|gif|tiff?|bmp|avif)$/i;
export const ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/tiff,image/bmp,image/avif,.tif,.tiff,.avif,.bmp";

// Calls `take(pictures, others)` with the files of each drop and paste, `hover(bool)` while files are over the page.
// Returns a function that ends it.
export function listen(take, hover) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const set = (value) => {
    depth = Math.max(0, value);
    hover(depth > 0);
  };
  const handlers = {
    dragenter: (event) => carriesFiles(event) && set(depth + 1),
    dragleave: (event) => carriesFiles(event) && set(depth - 1),
    dragover: (event) => carriesFiles(event) && event.preventDefault(),
    drop: (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      set(0);
      take(...sorted(event.dataTransfer.files));
    },
    paste: (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) take(...sorted(files.map(named)));
    },
  };
  for (const [name, handler] of Object.entries(handlers)) document.addEventListener(name, handler);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) document.removeEventListener(name, handler);
  };
}

// Files as [pictures, others]. What is in a picture the server finds out; this only spares hopeless uploads.
export function sorted(files) {
  const isPicture = (file) => (file.type ? file.type.startsWith("image/") && !file.type.includes("svg") : READ.test(file.name));
  const all = [...files];
  return [all.filter(isPicture), all.filter((file) => !isPicture(file))];
}

// Browsers call every pasted picture image.png.
function named(file, index) {
  if (file.name !== "image.png") return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
  return new File([file], `pasted ${time}${index ? ` ${index + 1}` : ""}.png`, { type: file.type });
}
