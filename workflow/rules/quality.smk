rule quality:
    input:
        slide=result("slide.zarr"),
        drawn=drawn("exclusions"),
        panel=ancient(panel),
    output:
        quality=directory(result("quality.zarr")),
        figures=result("quality.csv"),
    log:
        result("logs/quality.log"),
    benchmark:
        result("logs/quality.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        config=CONFIG,
        out=folder,
        exclusions=drawn_option("exclusions"),
        panel=panel_part("nucleus", "membrane", "markers", "impossible"),
        section=section("quality"),
    shell:
        "mifprofile quality -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} {params.exclusions} > {log:q} 2>&1"
