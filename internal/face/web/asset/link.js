// Before anything is drawn: who came by a link types no token, so that its field
// need not jump away later.
if (location.hash.includes('token=') || sessionStorage.getItem('link')) document.documentElement.classList.add('linked');
